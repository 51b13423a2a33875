package web

import (
	"encoding/json"
	"time"

	"goldfish/license/fault"
)

// SocketFault is why there is no socket, in the words of the house; code is the hub's.
func SocketFault(code string) error {
	switch code {
	case "origin_refused":
		return fault.New(fault.Forbidden, "origin_refused")
	case "sockets_full":
		return fault.New(fault.Unavailable, "sockets_full").After(30 * time.Second)
	case "shutting_down":
		return fault.New(fault.Unavailable, "shutting_down").After(5 * time.Second)
	}
	return fault.New(fault.Invalid, "websocket_expected")
}

// Frame is a message of a socket as JSON. v is a struct of ours, which always has a form.
func Frame(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
