package main

import (
	"context"
	"log"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	//     ▒▒██▒▒      |
	//   ░░▒▒████░░    |
	//       ▒▒██▒▒    |
	//     ████████    |
	//       ▒▒░░██░░  |
	//           ▒▒▒▒  |
	//     ░░██████░░  |
	//     ██▒▒░░      |
	// this is a 9
	// right on 98 % of 360 images
}
