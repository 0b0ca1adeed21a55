package report

import "errors"

// errForeignBitmap says why a bitmap with another array's uuid does not count.
var errForeignBitmap = errors.New("the bitmap belongs to another array")
