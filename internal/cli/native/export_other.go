//go:build !linux

package native

import (
	"context"
	"errors"

	"github.com/mdkit/mdkit/engine/block"
)

func (o *openOptions) serveFUSE(context.Context, block.Device, *exportReady) error {
	return errors.New("--fuse needs Linux; --nbd works here too")
}
