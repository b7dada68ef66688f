import { tool } from "@langchain/core/tools";
import { z } from "zod";

const SKIES = ["sunny", "cloudy", "rainy", "windy"];

/** Stands for a call to a weather service: the same city always has the same weather. */
export const getWeather = tool(
  ({ city }) => {
    const sum = [...city].reduce((n, letter) => n + letter.charCodeAt(0), 0);
    return `${SKIES[sum % SKIES.length]}, ${10 + (sum % 20)} °C`;
  },
  {
    name: "get_weather",
    description: "Tells the weather in a city.",
    schema: z.object({ city: z.string().describe("The name of the city") }),
  },
);
