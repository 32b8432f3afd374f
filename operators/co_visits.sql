-- What goes with what: a decayed sum per pair of items, from the steps of users. Native, no Python.
-- Forward decay: a step counts exp(rate * ms since the epoch's start), so that sums never have to be rewritten.
-- A pair counts the less the more ms lie between its items; coalesce is for steps that do not say.
-- The score is the sum's logarithm on one time axis for all epochs; it only grows within an epoch.
select a, b, ln(sum(weight)) + {rate} * {epoch_ms} * epoch as score
from (
  select p as a, item as b, ts / {epoch_ms} as epoch,
         weight * power({position_decay}, place - 1) * ({pause} / ({pause} + coalesce(apart[place], 0)))
           * exp({rate} * mod(ts, {epoch_ms})) as weight
  from steps cross join unnest(earlier) with ordinality as t (p, place)
  union all
  select item as a, p as b, ts / {epoch_ms} as epoch,
         {reverse_weight} * weight * power({position_decay}, place - 1) * ({pause} / ({pause} + coalesce(apart[place], 0)))
           * exp({rate} * mod(ts, {epoch_ms})) as weight
  from steps cross join unnest(earlier) with ordinality as t (p, place)
)
group by a, b, epoch
