import type TypeScript from "typescript";

/** JavaScript with an inline source map. Throws SyntaxError as a JavaScript file would. */
export function compileSource(
  typescript: typeof TypeScript,
  source: string,
  { file, format }: { file: string; format: "commonjs" | "module" },
): string {
  const { outputText, diagnostics } = typescript.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      module:
        format === "commonjs"
          ? typescript.ModuleKind.CommonJS
          : typescript.ModuleKind.ESNext,
      target: typescript.ScriptTarget.ES2022,
      jsx: typescript.JsxEmit.ReactJSX,
      esModuleInterop: true,
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  const [first] = diagnostics ?? [];
  if (first === undefined) return outputText;
  const text = typescript.flattenDiagnosticMessageText(first.messageText, " ");
  throw new SyntaxError(`Failed to parse ${file}: ${text}`);
}
