-- What the client saw: answers by node and by status, printed as `answers NODE NUMBER` and `failed NUMBER`.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  by_node, not_served = {}, 0
end

function response(status, headers)
  if status == 200 then
    local node = headers["X-Node"] or "unknown"
    by_node[node] = (by_node[node] or 0) + 1
  else
    not_served = not_served + 1
  end
end

function done(summary)
  local total, failed = {}, 0
  for _, thread in ipairs(threads) do
    for node, count in pairs(thread:get("by_node")) do
      total[node] = (total[node] or 0) + count
    end
    failed = failed + thread:get("not_served")
  end
  for node, count in pairs(total) do
    print("answers " .. node .. " " .. count)
  end
  local e = summary.errors
  print("failed " .. (failed + e.connect + e.read + e.write + e.timeout))
  print("requests " .. summary.requests)
end
