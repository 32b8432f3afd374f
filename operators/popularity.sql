-- What is popular where: a decayed sum per scope (all, a category, a country) and item. See co_visits.sql.
select scope, item, ln(sum(weight)) + {rate} * {epoch_ms} * epoch as score
from (
  select scope, item, ts / {epoch_ms} as epoch, weight * exp({rate} * mod(ts, {epoch_ms})) as weight
  from steps cross join unnest(scopes) as t (scope)
)
group by scope, item, epoch
