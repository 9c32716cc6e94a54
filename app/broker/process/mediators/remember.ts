/** Makes something of a key once and keeps it as long as the key lives: reading a key file anew for each request is dear. */
export const remember = <Key extends object, Value>(
  make: (key: Key) => Value,
): ((key: Key) => Value) => {
  const known = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const there = known.get(key);
    if (there !== undefined) return there.value;
    const value = make(key);
    known.set(key, { value });
    return value;
  };
};
