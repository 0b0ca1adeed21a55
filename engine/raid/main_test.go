package raid_test

import (
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestMain makes everything random in these tests follow the seed of the run.
func TestMain(m *testing.M) { lab.Main(m) }
