package clientapi

import (
	"io"

	"goldfish/license/web"
)

// front is all that a browser sees here.
const front = `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Goldfish 金鱼智盒</title>
</head>
<body>
<h1>Goldfish 金鱼智盒</h1>
<p>这里是卡密授权服务的客户端接口，供桌面应用调用。</p>
<p lang="en">This is the client interface of a card-key licensing server. Desktop apps call it.</p>
<p><a href="/api/openapi.json">OpenAPI</a> · <a href="/sdk/goldfish.py">Python SDK</a></p>
</body>
</html>
`

func (c *API) registerPage(a *web.API) {
	web.Handle(a, web.Op{Method: "GET", Path: "/", ID: "front", Public: true}, func(call *web.Call) {
		call.SetHeader("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(call.Writer(), front)
	})
}
