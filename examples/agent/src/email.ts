import { tool } from "@langchain/core/tools";
import { interrupt } from "@langchain/langgraph";
import { z } from "zod";

/** Stands for a call to a mail service. It is made only when a person has approved: `{ "command": { "resume": "yes" } }`. */
export const sendEmail = tool(
  ({ to, text }) => {
    const answer: unknown = interrupt({
      question: "Send this email?",
      to,
      text,
    });
    return answer === "yes" || answer === true
      ? `sent to ${to}`
      : "not sent, because it was not approved";
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
