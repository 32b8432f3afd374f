// Which items of a list moved of themselves, and which only made room.

/**
 * The items of `now` that changed their order among each other, given their places before.
 *
 * The longest run of items that kept their order stays; the others moved. So one item that falls from the
 * first place to the last is one movement, not twenty.
 */
export function moved(now, before) {
  const kept = now.filter((id) => before.has(id));
  const places = kept.map((id) => before.get(id));
  const length = places.map(() => 1);
  const from = places.map(() => -1);
  let last = -1;
  places.forEach((place, k) => {
    for (let j = 0; j < k; j += 1) {
      if (places[j] < place && length[j] + 1 > length[k]) {
        length[k] = length[j] + 1;
        from[k] = j;
      }
    }
    if (last < 0 || length[k] > length[last]) last = k;
  });
  const still = new Set();
  for (let k = last; k >= 0; k = from[k]) still.add(kept[k]);
  return new Set(kept.filter((id) => !still.has(id)));
}
