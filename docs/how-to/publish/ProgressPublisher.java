// Publish progress events. Copy this file into your project: it needs Java 17 and nothing else. With Jedis, replace the
// class Connection by JedisPooled and append with xadd(stream, StreamEntryID.NEW_ENTRY, Map.of("event", json)).
//
//     java ProgressPublisher.java        // publishes the example at the end to REDIS_URL

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.UUID;
import java.util.zip.CRC32;

public final class ProgressPublisher {
    static final int PARTITIONS = 8; // as PROGRESS_STREAM_PARTITIONS of the workers
    static final String SOURCE = "/my-lms"; // names belong to it: keep it as it is

    /** An event as JSON, and the number that selects its partition: its enrollment's, or its course's for an outline. */
    record Event(long key, String json) {}

    /**
     * Make an event that happened now, with data as JSON. Best stored in an outbox table, in the transaction of what it
     * reports.
     */
    static Event newEvent(String type, long key, String data) {
        String json = """
            {"specversion":"1.0","id":"%s","source":"%s","type":"%s","time":"%s","data":%s}"""
            .formatted(UUID.randomUUID(), SOURCE, type, Instant.now(), data);
        return new Event(key, json);
    }

    /** The number for the name of a learner, or of an outline's course. */
    static long keyOf(String name) {
        var crc = new CRC32();
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        return crc.getValue();
    }

    /**
     * Append the event to the stream of its key.
     *
     * After an IOException publish the same event again, with the same id and time, on a new connection: it counts once.
     * Only then delete it from the outbox.
     */
    static void publish(Connection redis, Event event) throws IOException {
        String stream = System.getenv().getOrDefault("PROGRESS_STREAM_KEY", "lesson-events");
        redis.call("XADD", stream + ":" + event.key() % PARTITIONS, "*", "event", event.json());
    }

    /** A connection to a URL such as redis://user:password@host:6379/0, without TLS. */
    static final class Connection implements AutoCloseable {
        private final Socket socket = new Socket();
        private final InputStream input;

        Connection(URI url) throws IOException {
            socket.connect(new InetSocketAddress(url.getHost(), url.getPort() < 0 ? 6379 : url.getPort()), 2000);
            socket.setSoTimeout(5000);
            input = new BufferedInputStream(socket.getInputStream());
            if (url.getUserInfo() != null) {
                String[] user = url.getUserInfo().split(":", 2);
                call("AUTH", user[0].isEmpty() ? "default" : user[0], user[1]);
            }
            if (url.getPath().length() > 1) {
                call("SELECT", url.getPath().substring(1));
            }
        }

        /** Send a command and return its answer, a line or a string. */
        String call(String... words) throws IOException {
            var command = new ByteArrayOutputStream();
            command.writeBytes(("*" + words.length + "\r\n").getBytes(StandardCharsets.UTF_8));
            for (String word : words) {
                byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
                command.writeBytes(("$" + bytes.length + "\r\n").getBytes(StandardCharsets.UTF_8));
                command.writeBytes(bytes);
                command.writeBytes("\r\n".getBytes(StandardCharsets.UTF_8));
            }
            socket.getOutputStream().write(command.toByteArray());
            String line = line();
            if (line.startsWith("-")) {
                throw new IOException("Redis: " + line.substring(1));
            }
            return line.startsWith("$") ? line() : line.substring(1);
        }

        private String line() throws IOException {
            var line = new ByteArrayOutputStream();
            for (int each = input.read(); each != '\n'; each = input.read()) {
                if (each < 0) {
                    throw new IOException("Redis closed the connection");
                }
                line.write(each);
            }
            return line.toString(StandardCharsets.UTF_8).stripTrailing();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    public static void main(String[] arguments) throws IOException {
        String lesson = "\"user_course_id\":25,\"topic_id\":1,\"lesson_id\":1";
        Event[] events = {
            newEvent("course.outlined", 11, """
                {"course_id":11,"lessons":[{"topic_id":1,"lesson_id":1,"title":"Gr\u00f6\u00dfe & \u201cMa\u00df\u201d"},
                {"topic_id":1,"lesson_id":2}]}"""),
            newEvent("enrollment.created", 25, "{\"user_course_id\":25,\"user_id\":7,\"course_id\":11}"),
            newEvent("lesson.viewed", 25, "{" + lesson + ",\"section_id\":2,\"duration_seconds\":90}"),
            newEvent("lesson.completed", 25, "{" + lesson + "}"),
            newEvent("lesson.completed", keyOf("user:Zo\u00eb"), """
                {"learner":"user:Zo\u00eb","course":"course:5","lesson":"page:8"}"""),
        };
        URI url = URI.create(System.getenv().getOrDefault("REDIS_URL", "redis://localhost:6379/0"));
        try (var redis = new Connection(url)) {
            for (Event event : events) {
                publish(redis, event);
            }
        }
    }
}
