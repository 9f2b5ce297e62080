-- What a site might be asked, for profiles: pages and their parts, a program's calls, uploads, and what is not there.
local browser = {
  ["User-Agent"] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  ["Accept-Language"] = "en-US,en;q=0.5",
  ["Accept-Encoding"] = "gzip, deflate, br",
  ["Connection"] = "keep-alive",
  ["Cookie"] = "theme=dark; sid=9f86d081884c7d659a2feaa0c55ad015",
}
local program = { ["User-Agent"] = "curl/8.5.0", ["Accept"] = "application/json", ["X-Request-Id"] = "order-4711" }

local kinds = {
  { "GET", "/300", browser }, { "GET", "/300", program }, { "GET", "/4k", browser }, { "GET", "/4k?page=2&sort=up", {} },
  { "GET", "/30k", browser }, { "GET", "/4k", program }, { "GET", "/300k", browser }, { "HEAD", "/30k", program },
  { "GET", "/absent", browser }, { "POST", "/post", program, 200 }, { "POST", "/post", browser, 5000 },
  { "PUT", "/post", program, 120000 }, { "GET", "/300", program }, { "GET", "/4k", browser },
}
local requests, turn = {}, 0

function init(args)
  for number, kind in ipairs(kinds) do
    local headers = { ["Host"] = "shop.example.com" }
    for name, value in pairs(kind[3]) do headers[name] = value end
    if args[1] == "close" then headers["Connection"] = "close" end
    local body = kind[4] and string.rep("b", kind[4]) or nil
    requests[number] = wrk.format(kind[1], kind[2], headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
