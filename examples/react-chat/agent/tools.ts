import { tool } from "@langchain/core/tools";
import { interrupt } from "@langchain/langgraph";
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

/** Stands for a call to a mail service. The run ends at `interrupt`, and the answer of a person begins one that goes on there. */
export const sendEmail = tool(
  ({ to, text }) => {
    const { approved } = interrupt<unknown, { approved: boolean }>({
      question: "Send this email?",
      to,
      text,
    });
    return approved ? `sent to ${to}` : "not sent, because it was not approved";
  },
  {
    name: "send_email",
    description: "Sends an email, after a person has approved it.",
    schema: z.object({
      to: z.string().describe("Who gets it"),
      text: z.string().describe("What it says"),
    }),
  },
);
