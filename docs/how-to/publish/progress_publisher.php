<?php
// Publish progress events. Copy this file into your project: it needs PHP 8.1 and the extension phpredis (php-redis).
//
//     php progress_publisher.php        # publishes the example at the end to REDIS_URL

declare(strict_types=1);

const PROGRESS_PARTITIONS = 8; // as PROGRESS_STREAM_PARTITIONS of the workers
const PROGRESS_SOURCE = '/my-lms'; // names belong to it: keep it as it is

/** Make an event that happened now. Best stored in an outbox table, in the transaction of what it reports. */
function progress_event(string $type, array $data): array
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40); // UUID version 4
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return [
        'specversion' => '1.0',
        'id' => vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4)),
        'source' => PROGRESS_SOURCE,
        'type' => $type,
        'time' => (new DateTimeImmutable('now', new DateTimeZone('UTC')))->format('Y-m-d\TH:i:s.uP'),
        'data' => $data,
    ];
}

/**
 * Append the event to the stream of its enrollment or learner, or of its course for an outline.
 *
 * After a RedisException publish the same event again, with the same id and time: it counts once. Only then delete it
 * from the outbox. Ids must be integers, not strings from the database: cast them with (int). Names are strings.
 */
function progress_publish(Redis $redis, array $event): void
{
    $data = $event['data'];
    $key = $data['user_course_id'] ?? $data['course_id'] ?? crc32($data['learner'] ?? $data['course']);
    $partition = $key % PROGRESS_PARTITIONS;
    $stream = (getenv('PROGRESS_STREAM_KEY') ?: 'lesson-events') . ":$partition";
    $json = json_encode($event, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    if ($redis->xAdd($stream, '*', ['event' => $json]) === false) { // such as a full Redis
        throw new RedisException($redis->getLastError() ?? 'XADD failed');
    }
}

/** Connect to a URL such as redis://user:password@host:6379/0, or rediss:// for TLS. */
function progress_connect(string $url): Redis
{
    $parts = parse_url($url);
    $redis = new Redis();
    $redis->connect(($parts['scheme'] === 'rediss' ? 'tls://' : '') . $parts['host'], $parts['port'] ?? 6379, 2.0);
    if (isset($parts['pass'])) {
        $password = rawurldecode($parts['pass']);
        $redis->auth(($parts['user'] ?? '') === '' ? $password : [rawurldecode($parts['user']), $password]);
    }
    $redis->select((int) trim($parts['path'] ?? '', '/'));
    return $redis;
}

if (realpath($_SERVER['SCRIPT_FILENAME'] ?? '') === __FILE__) {
    $redis = progress_connect(getenv('REDIS_URL') ?: 'redis://localhost:6379/0');
    $lesson = ['user_course_id' => 25, 'topic_id' => 1, 'lesson_id' => 1];
    $lessons = [['topic_id' => 1, 'lesson_id' => 1, 'title' => 'Größe & “Maß”'], ['topic_id' => 1, 'lesson_id' => 2]];
    foreach ([
        progress_event('course.outlined', ['course_id' => 11, 'lessons' => $lessons]),
        progress_event('enrollment.created', ['user_course_id' => 25, 'user_id' => 7, 'course_id' => 11]),
        progress_event('lesson.viewed', $lesson + ['section_id' => 2, 'duration_seconds' => 90]),
        progress_event('lesson.completed', $lesson),
        progress_event('lesson.completed', ['learner' => 'user:Zoë', 'course' => 'course:5', 'lesson' => 'page:8']),
    ] as $event) {
        progress_publish($redis, $event);
    }
}
