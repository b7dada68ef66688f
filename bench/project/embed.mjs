// A model without a model: a word is a direction that its letters decide, a text the sum of its words.
const DIMS = 384;
const known = new Map();

export const embed = (texts) =>
  texts.map((text) => {
    const sum = Array.from({ length: DIMS }, () => 0);
    for (const word of text.split(" "))
      directionOf(word).forEach((number, at) => (sum[at] += number));
    return sum;
  });

function directionOf(word) {
  let direction = known.get(word);
  if (direction === undefined) {
    let seed = 1;
    for (const letter of word) seed = next(seed + letter.charCodeAt(0));
    direction = Float64Array.from({ length: DIMS }, () => {
      seed = next(seed);
      return seed / 2 ** 32 - 0.5;
    });
    known.set(word, direction);
  }
  return direction;
}

/** https://en.wikipedia.org/wiki/Xorshift */
function next(seed) {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}
