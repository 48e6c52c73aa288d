import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lossPage, matrix, protocols } from './golden.ts'

// Writes the golden matrix and the page of losses anew, to be reviewed as a diff.

const fixtures = new URL('../fixtures', import.meta.url).pathname
for (const protocol of protocols) await rm(join(fixtures, protocol), { recursive: true, force: true })
const { files, cases, losses } = matrix()
for (const { path, text } of files) {
  await mkdir(dirname(join(fixtures, path)), { recursive: true })
  await writeFile(join(fixtures, path), text)
}
const references = {
  'openai-chat': 'https://platform.openai.com/docs/api-reference/chat',
  'openai-responses': 'https://platform.openai.com/docs/api-reference/responses',
  'anthropic-messages': 'https://docs.anthropic.com/en/api/messages',
  'gemini': 'https://ai.google.dev/api/generate-content',
}
for (const protocol of protocols) {
  await writeFile(
    join(fixtures, protocol, 'SOURCE.md'),
    `# Source\n\nHandwritten after ${
      references[protocol]
    }, in \`test/golden/requests.ts\` and \`test/golden/replies.ts\`; no` +
      ` captures.\nThe translations beside them (\`to-…\`, \`for-…\`) are gw's own, written by \`bun test/golden/write.ts\`` +
      ` and reviewed as a diff.\n`,
  )
}
await writeFile(new URL('../../docs/translation.md', import.meta.url).pathname, lossPage(losses))
process.stdout.write(`${cases} cases, ${files.length} files, ${losses.length} losses\n`)
