/** Opens a page in the person's browser; where there is none, the printed address is all there is, and it is enough. */
export async function openBrowser(url: string): Promise<void> {
  const { runCommand } = await import('../../lib/platform/mod.ts')
  const argv = process.platform === 'darwin'
    ? ['open', url]
    : process.platform === 'win32'
    ? ['rundll32', 'url.dll,FileProtocolHandler', url]
    : ['xdg-open', url]
  await runCommand(argv, { timeoutMs: 5_000 }).catch(() => {})
}
