# Reads each body and responds with method and target: webrick.rb PORT.
require "webrick"

class All < WEBrick::HTTPServlet::AbstractServlet
  def service(request, response)
    request.body
    response.status = 200
    response.body = "#{request.request_method} #{request.unparsed_uri}"
  end
end

null = WEBrick::Log.new(File::NULL)
server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: ARGV[0].to_i, Logger: null, AccessLog: [], MaxClients: 200)
server.mount("/", All)
server.start
