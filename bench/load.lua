-- Kinds of load for wrk. The environment variable LOAD names one.

local load = os.getenv("LOAD") or "plain"

local BROWSER = {
  ["Connection"] = "keep-alive",
  ["Cache-Control"] = "max-age=0",
  ["sec-ch-ua"] = '"Chromium";v="131", "Not_A Brand";v="24"',
  ["sec-ch-ua-mobile"] = "?0",
  ["sec-ch-ua-platform"] = '"Linux"',
  ["Upgrade-Insecure-Requests"] = "1",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  ["Sec-Fetch-Site"] = "same-origin",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Dest"] = "document",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9",
  ["Cookie"] = "session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; theme=dark; csrftoken=Zm9vYmFyYmF6cXV4",
}

-- Eight text fields and a file of 1 MiB.
local function form(boundary)
  local parts = {}
  for i = 1, 8 do
    parts[#parts + 1] = "--" .. boundary .. '\r\nContent-Disposition: form-data; name="field' .. i .. '"\r\n\r\nvalue number ' .. i .. "\r\n"
  end
  parts[#parts + 1] = "--" .. boundary .. '\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
  parts[#parts + 1] = "Content-Type: application/octet-stream\r\n\r\n"
  local bytes = {}
  for i = 0, 255 do bytes[#bytes + 1] = string.char((i * 167 + 13) % 256) end
  parts[#parts + 1] = string.rep(table.concat(bytes), 4096) .. "\r\n--" .. boundary .. "--\r\n"
  return table.concat(parts)
end

if load == "pipelined" then
  local requests
  init = function()
    local all = {}
    for i = 1, 16 do all[i] = wrk.format(nil) end
    requests = table.concat(all)
  end
  request = function() return requests end
elseif load == "browser" then
  for name, value in pairs(BROWSER) do wrk.headers[name] = value end
elseif load == "close" then
  wrk.headers["Connection"] = "close"
elseif load == "body" then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.body = string.rep("0123456789abcdef", 65536)
elseif load == "upload" then
  local boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. boundary
  wrk.body = form(boundary)
end

done = function(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    'JSON {"requests":%d,"microseconds":%d,"errors":%d,"p50":%d,"p99":%d}', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
