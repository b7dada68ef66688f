import type TypeScript from "typescript";

/** JavaScript with an inline source map. Throws SyntaxError as a JavaScript file would. */
export function compileSource(
  typescript: typeof TypeScript,
  source: string,
  { file, format }: { file: string; format: "commonjs" | "module" },
): string {
  const { outputText, sourceMapText, diagnostics } = typescript.transpileModule(
    source,
    {
      // TypeScript 6.0 throws for the imports of a file that it knows as `.cts`.
      fileName: file.replace(/\.cts$/, ".ts"),
      reportDiagnostics: true,
      compilerOptions: {
        module:
          format === "commonjs"
            ? typescript.ModuleKind.CommonJS
            : typescript.ModuleKind.ESNext,
        target: typescript.ScriptTarget.ES2022,
        jsx: typescript.JsxEmit.ReactJSX,
        esModuleInterop: true,
        sourceMap: true,
        inlineSources: true,
      },
    },
  );
  const [first] = diagnostics ?? [];
  if (first === undefined) return withMap(outputText, sourceMapText, file);
  const text = typescript.flattenDiagnosticMessageText(first.messageText, " ");
  throw new SyntaxError(`Failed to parse ${file}: ${text}`);
}

function withMap(
  output: string,
  mapText: string | undefined,
  file: string,
): string {
  if (mapText === undefined) return output;
  const map = JSON.stringify({ ...JSON.parse(mapText), sources: [file] });
  const code = output.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, "\n");
  return `${code}//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}\n`;
}
