package ui

import "fmt"

// Size prints a number of bytes for people: "512 bytes", "1.5 MiB", "4 GiB".
func Size(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, unit := float64(bytes)/(1<<10), 0
	for value >= 1<<10 && unit < len(units)-1 {
		value /= 1 << 10
		unit++
	}
	text := fmt.Sprintf("%.1f", value)
	if value == float64(int64(value)) {
		text = fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%s %ciB", text, units[unit])
}
