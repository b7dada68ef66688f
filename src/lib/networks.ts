import { BlockList, isIP } from "node:net";

/** A set of networks like `10.0.0.0/8` and `fd00::/8`; a single address is a network too. */
export class Networks {
  readonly #list = new BlockList();

  /** Throws a `RangeError` that names the network which is none. */
  constructor(networks: readonly string[]) {
    for (const network of networks) this.#add(network);
  }

  /** `address` is one that `isIP` knows. An IPv6 address that stands for an IPv4 one counts as that. */
  has(address: string): boolean {
    const plain = plainAddress(address);
    return this.#list.check(plain, familyOf(plain));
  }

  #add(network: string): void {
    const [, address = "", bits] =
      /^([^/]*)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const longest = isIP(address) === 4 ? 32 : 128;
    const prefix = Number(bits ?? longest);
    if (isIP(address) === 0 || prefix > longest)
      throw new RangeError(`"${network}" is no network like 10.0.0.0/8`);
    this.#list.addSubnet(address, prefix, familyOf(address));
  }
}

const familyOf = (address: string): "ipv4" | "ipv6" =>
  isIP(address) === 4 ? "ipv4" : "ipv6";

/** Leads to hosts of this machine, of a private network or of no network at all: IANA's registries of special addresses. */
const SPECIAL_IPV4 = new Networks([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10", // carrier-grade NAT
  "127.0.0.0/8",
  "169.254.0.0/16", // link-local; the metadata services of clouds
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
]);

/** Of IPv6 only this part is given out to the world: loopback, link-local, unique-local and multicast are outside of it. */
const GLOBAL_IPV6 = new Networks(["2000::/3"]);

const SPECIAL_IPV6 = new Networks([
  "2001::/23", // Teredo, which has IPv4 addresses in it, benchmarks, and others
  "2001:db8::/32",
  "2002::/16", // 6to4, which has IPv4 addresses in it
  "3fff::/20",
]);

/** Whether a host of the internet may have the address. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  return isIP(plain) === 4
    ? !SPECIAL_IPV4.has(plain)
    : GLOBAL_IPV6.has(plain) && !SPECIAL_IPV6.has(plain);
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff].join();
/** What a network without IPv4 reaches IPv4 hosts by. */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0].join();

/** Without its zone, and as IPv4 where it stands for such an address. */
function plainAddress(address: string): string {
  const [plain = ""] = address.split("%");
  if (isIP(plain) !== 6) return plain;
  const groups = groupsOf(plain);
  const prefix = groups.slice(0, 6).join();
  if (prefix !== MAPPED && prefix !== NAT64) return plain;
  const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
  return bytes.join(".");
}

/** The eight numbers of an IPv6 address, in whichever of its spellings. */
function groupsOf(address: string): number[] {
  const spelled = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = spelled
    .split("::")
    .map((half) => half.split(":").filter((group) => group !== ""));
  const missing = Array.from(
    { length: 8 - head.length - tail.length },
    () => "0",
  );
  return [...head, ...missing, ...tail].map((group) =>
    Number.parseInt(group, 16),
  );
}
