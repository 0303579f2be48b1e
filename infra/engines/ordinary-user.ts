/**
 * A command that runs as somebody else than root, as a few servers demand. In a user namespace root appears as
 * `nobody` and can still read its own files, so that neither owners nor rights of directories have to change.
 */
export function asOrdinaryUser(command: string, args: readonly string[]): [string, readonly string[]] {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return [command, args]
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', command, ...args]]
}
