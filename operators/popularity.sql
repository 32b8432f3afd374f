-- What is popular where: a decayed sum per scope (all, a category, a country) and item. See co_visits.sql.
select area, item, ln(sum(weight)) + {rate} * {epoch_ms} * epoch as score
from (
  select area, item, ts / {epoch_ms} as epoch, weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from steps cross join unnest(scopes) as t (area)
)
group by area, item, epoch
