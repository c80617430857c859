/** What each byte may be part of (RFC 9110, sections 5.5 and 5.6): one table for every scan of a head. */

/** A method or a field name: `tchar`. */
export const TOKEN = 1;
/**
 * A field value or a reason phrase: HTAB, SP, visible ASCII, obs-text. No other control character, no DEL.
 */
export const VALUE = 2;
/** A request target: visible ASCII without `#`, since a fragment is never sent. */
export const TARGET = 4;
/** SP or HTAB. */
export const BLANK = 8;

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
export const SEMICOLON = 59;

const classes = Uint8Array.from({ length: 256 }, (_, octet) => {
  const char = String.fromCharCode(octet);
  const visible = octet > SP && octet < 127;
  const blank = octet === SP || octet === HTAB;
  return (
    (/[\w!#$%&'*+.^`|~-]/.test(char) ? TOKEN : 0) |
    (visible || blank || octet > 127 ? VALUE : 0) |
    (visible && char !== '#' ? TARGET : 0) |
    (blank ? BLANK : 0)
  );
});

/** Whether `buffer[at]` is of the class; past the end of the buffer nothing is. */
export function is(buffer: Buffer, at: number, octetClass: number): boolean {
  return ((classes[buffer[at] ?? 0] ?? 0) & octetClass) !== 0;
}
