/** URLs whose answers are believed: policies, and the keys of who issues tokens. */

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether nobody on the way can change what comes from there: over https, or from this host itself. */
export function isUnchangeable({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname));
}

/** A user or a password, which would end in logs. */
export function holdsCredentials({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}
