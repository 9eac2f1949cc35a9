// Reads each body and responds with method and target: node.js PORT.
require("http").createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end(`${request.method} ${request.url}`));
}).listen(Number(process.argv[2]), "127.0.0.1");
