/** The user name that goes with a secret in Basic logins. */
export const USER = 'matrix';

/** A secret in the shapes in which careless servers say it back. */
export const shapesOf = (secret: string): Readonly<Record<string, string>> => ({
  plain: secret,
  base64: Buffer.from(secret).toString('base64'),
  base64url: Buffer.from(secret).toString('base64url'),
  basic: Buffer.from(`${USER}:${secret}`).toString('base64'),
  percent: encodeURIComponent(secret),
  hexadecimal: Buffer.from(secret).toString('hex'),
  json: Array.from(
    secret,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  ).join(''),
});

/** Which shapes of the secret are in a text. */
export const shapesIn = (text: string, secret: string): readonly string[] =>
  Object.entries(shapesOf(secret)).flatMap(([shape, value]) =>
    text.includes(value) ? [shape] : [],
  );

/**
 * A script for inside: looks for a secret in every process's environment, command line and memory, and in
 * every file that can be written or was put there for the session. Prints `found: []` where it is nowhere.
 * The needle is put together inside, so that the script itself does not hold it.
 */
export const findInside = (secrets: readonly string[]): string => {
  const halves = secrets.map((secret) => {
    const middle = Math.floor(secret.length / 2);
    return `b${JSON.stringify(secret.slice(0, middle))} + b${JSON.stringify(secret.slice(middle))}`;
  });
  return `python3 - <<'END'
import os
needles = [${halves.join(', ')}]
found = []
def look(name, data):
    if any(needle in data for needle in needles): found.append(name)
for pid in (p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()):
    for name in ("environ", "cmdline"):
        try: look(f"{pid}/{name}", open(f"/proc/{pid}/{name}", "rb").read())
        except OSError: pass
    try:
        maps = open(f"/proc/{pid}/maps").read().splitlines()
        memory = open(f"/proc/{pid}/mem", "rb", 0)
    except OSError: continue
    for line in maps:
        span, rights = line.split()[:2]
        start, end = (int(x, 16) for x in span.split("-"))
        if "r" not in rights or end - start > 1 << 30: continue
        try:
            memory.seek(start)
            look(f"{pid}/mem", memory.read(end - start))
        except (OSError, ValueError, OverflowError): continue
for top in ("/home", "/tmp", "/etc", "/run", "/var", os.getcwd()):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and not os.path.islink(path): look(path, open(path, "rb").read())
            except OSError: pass
print("found:", found)
END`;
};
