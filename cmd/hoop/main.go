// Command hoop is the client and the broker in one binary.
package main

func main() {}
