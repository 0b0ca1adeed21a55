package raid_test

import (
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestMain makes what is left to chance here follow the seed of the run.
func TestMain(m *testing.M) { lab.Main(m) }
