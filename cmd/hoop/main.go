// Command hoop is the client and the broker in one binary. Everything it does
// is in package cli.
package main

import (
	"os"

	"hoop/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
