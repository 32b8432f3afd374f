-- What purchases say: what is bought together, what is bought after a look at another item, and what is bought again.
-- A decayed sum per kind, row and member, as in co_visits.sql: native, no Python. Of `earlier` the first `mates` are of
-- the same order, the others were looked at. What is bought again has five sums by area: purchases, those after an
-- earlier one, of the logarithm of 1 + days between them the sum and the sum of squares, and the squared weights of all
-- purchases, which grow twice as fast in epochs of half the length.
select kind, a, b, ln(sum(weight)) + {rate} * {epoch_ms} * epoch as score
from (
  select case when place <= mates then 'together' else 'then_bought' end as kind, p as a, item as b,
         ts / {epoch_ms} as epoch, weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(earlier) with ordinality as t (p, place)
  union all
  select 'together' as kind, item as a, p as b, ts / {epoch_ms} as epoch,
         weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(earlier) with ordinality as t (p, place) where place <= mates
  union all
  select 'again' as kind, area as a, 'bought' as b, ts / {epoch_ms} as epoch,
         weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(areas) as t (area)
  union all
  select 'again' as kind, area as a, 'evidence' as b, ts / ({epoch_ms} / 2) as epoch,
         weight * weight * exp(2 * {rate} * mod(ts, {epoch_ms} / 2)) as weight
  from purchases cross join unnest(areas) as t (area)
  union all
  select 'again' as kind, area as a, 'again' as b, ts / {epoch_ms} as epoch,
         weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(areas) as t (area) where apart > 0
  union all
  select 'again' as kind, area as a, 'gap' as b, ts / {epoch_ms} as epoch,
         ln(1e0 + apart) * weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(areas) as t (area) where apart > 0
  union all
  select 'again' as kind, area as a, 'square' as b, ts / {epoch_ms} as epoch,
         power(ln(1e0 + apart), 2) * weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from purchases cross join unnest(areas) as t (area) where apart > 0
)
group by kind, a, b, epoch
