/** Blocks of commands in Markdown, as a reader would copy them. */

export interface Fenced {
  readonly language: string;
  readonly text: string;
}

/** Fences in order, closed by one of their own kind; they may be indented. */
export function fencedIn(page: string): readonly Fenced[] {
  const blocks: Fenced[] = [];
  let open: { language: string; lines: string[] } | undefined;
  for (const line of page.split('\n')) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: fence[1]?.trim() ?? '', lines: [] };
    else {
      blocks.push({ language: open.language, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    }
  }
  return blocks;
}

/** Lines that a shell would be given: all of `sh`, after `$ ` of `console` and `text`. Continued lines are joined. */
export function commandsIn({ language, text }: Fenced): readonly string[] {
  const joined = text.replace(/\\\n\s*/g, ' ').split('\n');
  if (language === 'sh' || language === 'bash')
    return joined.filter((line) => line.trim() !== '' && !/^\s*#/.test(line));
  return joined.flatMap((line) => (line.startsWith('$ ') ? line.slice(2) : []));
}
