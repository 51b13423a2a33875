package admin

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"goldfish/license/fault"
	"goldfish/license/web"
)

// closedDoors are what answers while no house stands: how the appliance stands, its pages, and 503 to all else. They
// judge a request as the house does: by its origin, its rate, its form.
func (l *life) closedDoors() (doors [3]Door, err error) {
	pages, err := Pages()
	if err != nil {
		return doors, err
	}
	o := l.Web
	o.Closed = l.why
	client := web.New(o)
	web.RegisterStanding(client)
	o.Fallback = waitingRoom(l.standing, pages)
	console := web.New(o)
	web.RegisterStanding(console)
	registerState(console, l.state)
	orders := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, map[string]string{"code": fault.Of(l.why()).Code})
	})
	return [3]Door{{Handler: console}, {Handler: client}, {Handler: orders}}, nil
}
