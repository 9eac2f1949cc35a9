# A Rack application that reads each body and responds with method and target.
run(lambda do |env|
  env["rack.input"].read
  text = "#{env["REQUEST_METHOD"]} #{env["REQUEST_URI"] || env["PATH_INFO"]}"
  [200, { "content-type" => "text/plain", "content-length" => text.bytesize.to_s }, [text]]
end)
