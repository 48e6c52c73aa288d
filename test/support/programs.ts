import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A stand-in for `codex`: logs in by writing a file, answers a prompt with one event. */
const codex = `#!/bin/sh
case "$1" in
  login)
    if [ "$2" = status ]; then [ -f "$CODEX_HOME/auth.json" ]; exit; fi
    echo '{"tokens":{"access_token":"canary-codex-token"}}' > "$CODEX_HOME/auth.json"; exit 0 ;;
  exec) [ -f "$CODEX_HOME/quota" ] && { echo "usage limit reached"; exit 1; }
    echo '{"type":"item.completed"}'; exit 0 ;;
esac
exit 2
`

/** A stand-in for \`claude\`: says whether its directory holds a login. */
const claude = `#!/bin/sh
[ "$1 $2" = "auth status" ] || exit 2
if [ -f "$CLAUDE_CONFIG_DIR/.credentials.json" ]; then echo '{"loggedIn":true}'; else echo '{"loggedIn":false}'; exit 1; fi
`

/** Puts the stand-ins into a folder, to be first on a PATH. Returns that folder. */
export function fakePrograms(root: string): string {
  const folder = join(root, 'bin')
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries({ codex, claude })) {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), 0o755)
  }
  return folder
}
