-- What wrk asks for, and what it prints: load.lua -- METHOD BODY_BYTES keep|close
function init(args)
  wrk.method = args[1]
  if tonumber(args[2]) > 0 then
    wrk.body = string.rep("x", tonumber(args[2]))
  end
  if args[3] == "close" then
    wrk.headers["Connection"] = "close"
  end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format("requests %d microseconds %d p50 %d p99 %d longest %d", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max))
  print(string.format("errors connect %d read %d write %d timeout %d status %d",
    e.connect, e.read, e.write, e.timeout, e.status))
end
