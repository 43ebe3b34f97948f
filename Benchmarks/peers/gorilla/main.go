// A broadcast server in Go's usual design: one goroutine (the hub) owns the set of clients, and each client has a
// goroutine that reads, one that writes, and a bounded channel between the hub and the latter. A client whose channel
// is full is dropped. Each text message goes to every client, the sender included.
//
//	gorilla PORT
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

const (
	queuedMessagesMax = 2048 // half a megabyte; the floor and the hub hold one
	messageBytesMax   = 64 * 1024
	acceptedMax       = 256 // messages that wait for the hub
)

type client struct {
	connection *websocket.Conn
	queue      chan []byte
}

type hub struct {
	joining, leaving chan *client
	messages         chan []byte
}

func (h *hub) run() {
	clients := map[*client]struct{}{}
	drop := func(c *client) {
		if _, joined := clients[c]; joined {
			delete(clients, c)
			close(c.queue)
		}
	}
	for {
		select {
		case c := <-h.joining:
			clients[c] = struct{}{}
		case c := <-h.leaving:
			drop(c)
		case message := <-h.messages:
			for c := range clients {
				select {
				case c.queue <- message:
				default:
					drop(c)
				}
			}
		}
	}
}

func (c *client) read(h *hub) {
	defer func() {
		h.leaving <- c
		c.connection.Close()
	}()
	c.connection.SetReadLimit(messageBytesMax)
	for {
		kind, message, err := c.connection.ReadMessage()
		if err != nil {
			return
		}
		if kind == websocket.TextMessage {
			h.messages <- message
		}
	}
}

func (c *client) write() {
	defer c.connection.Close()
	for message := range c.queue {
		if c.connection.WriteMessage(websocket.TextMessage, message) != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gorilla PORT")
		os.Exit(2)
	}
	h := &hub{
		joining: make(chan *client), leaving: make(chan *client), messages: make(chan []byte, acceptedMax),
	}
	go h.run()
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		connection, err := upgrader.Upgrade(response, request, nil)
		if err != nil {
			return // the upgrader has already answered
		}
		c := &client{connection: connection, queue: make(chan []byte, queuedMessagesMax)}
		h.joining <- c
		go c.write()
		c.read(h)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
