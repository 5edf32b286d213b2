// Publish progress events. Copy this file into your project: it needs Go 1.19 and the module github.com/gomodule/redigo.
//
//	go run progress_publisher.go // publishes the example at the end to REDIS_URL
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log"
	"os"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	partitions = 8         // as PROGRESS_STREAM_PARTITIONS of the workers
	source     = "/my-lms" // names belong to it: keep it as it is
)

// Event is a CloudEvent, and the number that selects its partition: its enrollment's, or its course's for an outline.
type Event struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Time        string `json:"time"`
	Data        any    `json:"data"`
	Key         int64  `json:"-"`
}

// KeyOf returns the number for the name of a learner, or of an outline's course.
func KeyOf(name string) int64 {
	return int64(crc32.ChecksumIEEE([]byte(name)))
}

// NewEvent makes an event that happened now. Best stored in an outbox table, in the transaction of what it reports.
func NewEvent(kind string, key int64, data any) (Event, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return Event{}, err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // UUID version 4
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return Event{"1.0", id, source, kind, time.Now().UTC().Format(time.RFC3339Nano), data, key}, nil
}

// Publish appends the event to the stream of its key.
//
// After an error publish the same event again, with the same id and time: it counts once. Only then delete it from the
// outbox.
func Publish(connection redis.Conn, event Event) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	stream := os.Getenv("PROGRESS_STREAM_KEY")
	if stream == "" {
		stream = "lesson-events"
	}
	_, err = connection.Do("XADD", fmt.Sprintf("%s:%d", stream, event.Key%partitions), "*", "event", body)
	return err
}

func main() {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = "redis://localhost:6379/0"
	}
	connection, err := redis.DialURL(url, redis.DialConnectTimeout(2*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	type fields = map[string]any
	lessons := []fields{{"topic_id": 1, "lesson_id": 1, "title": "Größe & “Maß”"}, {"topic_id": 1, "lesson_id": 2}}
	for _, example := range []struct {
		kind string
		key  int64
		data fields
	}{
		{"course.outlined", 11, fields{"course_id": 11, "lessons": lessons}},
		{"enrollment.created", 25, fields{"user_course_id": 25, "user_id": 7, "course_id": 11}},
		{"lesson.viewed", 25, fields{"user_course_id": 25, "topic_id": 1, "lesson_id": 1, "section_id": 2, "duration_seconds": 90}},
		{"lesson.completed", 25, fields{"user_course_id": 25, "topic_id": 1, "lesson_id": 1}},
		{"lesson.completed", KeyOf("user:Zoë"), fields{"learner": "user:Zoë", "course": "course:5", "lesson": "page:8"}},
	} {
		event, err := NewEvent(example.kind, example.key, example.data)
		if err == nil {
			err = Publish(connection, event)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
