package policy

import (
	"fmt"
	"strings"
	"time"
)

// timeMatch is a TimeSpec, compiled. Times of day are minutes after midnight.
type timeMatch struct {
	days     [7]bool // from Sunday
	from, to int
	zone     *time.Location
	text     string
}

const wholeDay = 24 * 60

// weekdays are the names of days in a TimeSpec, in Go's order.
var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (c *checker) time(path string, spec *TimeSpec) *timeMatch {
	m := &timeMatch{to: wholeDay, zone: time.UTC}
	if spec.Days == nil && spec.From == "" && spec.To == "" {
		c.add(path, "says nothing: give days, from and to")
	}
	m.days = c.days(path+".days", spec.Days)
	if (spec.From == "") != (spec.To == "") {
		c.add(path, "from and to go together")
	} else if spec.From != "" {
		m.from, m.to = c.timeOfDay(path+".from", spec.From), c.timeOfDay(path+".to", spec.To)
		if m.from == m.to {
			c.add(path, "from and to are the same, so the rule can never match")
		}
	}
	if spec.Zone != "" {
		zone, err := time.LoadLocation(spec.Zone)
		if err != nil || spec.Zone == "Local" {
			c.add(path+".zone", "%q is not a time zone: write one like Europe/Berlin", spec.Zone)
		} else {
			m.zone = zone
		}
	}
	m.text = spec.words()
	return m
}

func (c *checker) days(path string, list []string) (days [7]bool) {
	if list != nil && len(list) == 0 {
		c.add(path, "is empty, so the rule can never match: leave it out to match every day")
	}
	for i := range days {
		days[i] = list == nil
	}
	for i, word := range list {
		known := false
		for d, name := range weekdays {
			if word == name {
				days[d], known = true, true
			}
		}
		if !known {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%q is no day: mon, tue, wed, thu, fri, sat or sun", word)
		}
	}
	return days
}

func (c *checker) timeOfDay(path, text string) int {
	if text == "24:00" {
		return wholeDay
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		c.add(path, "%q is no time of day, such as 09:00", text)
	}
	return t.Hour()*60 + t.Minute()
}

func (s *TimeSpec) words() string {
	words := strings.Join(s.Days, ", ")
	if s.From != "" {
		words = strings.TrimSpace(words + " " + s.From + " to " + s.To)
	}
	if s.Zone != "" {
		words += " " + s.Zone
	}
	return words
}

// matches reports whether a time is in it. A span over midnight belongs to the
// day on which it begins.
func (m *timeMatch) matches(now time.Time) bool {
	t := now.In(m.zone)
	day, minute := t.Weekday(), t.Hour()*60+t.Minute()
	if m.from < m.to {
		return m.days[day] && minute >= m.from && minute < m.to
	}
	return m.days[day] && minute >= m.from || m.days[(day+6)%7] && minute < m.to
}

func (m *timeMatch) String() string { return m.text }
