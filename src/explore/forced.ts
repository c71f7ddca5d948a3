/**
 * How many members of a group are sampled with forced exploration: `share` of it, rounded. Where there are any, at least two,
 * and at least two are left to the policy, since each of the two kinds needs a mean of its own; groups too small for that have
 * none.
 */
export function forcedMembers(groupSize: number, share: number): number {
  if (share <= 0) return 0;
  const members = Math.max(2, Math.round(groupSize * share));
  return groupSize < 4 ? 0 : Math.min(groupSize - 2, members);
}

/** Whether this member of a group is one of them: they are the last ones. */
export function isForced(member: number, groupSize: number, share: number): boolean {
  return member >= groupSize - forcedMembers(groupSize, share);
}
