// Publish progress events. Copy this file into your project: it needs Node.js 18 and the package redis, 4 or later.
//
//     node progress_publisher.js        // publishes the example at the end to REDIS_URL

const { randomUUID } = require('node:crypto');
const { createClient } = require('redis');

const STREAM = process.env.PROGRESS_STREAM_KEY || 'lesson-events';
const PARTITIONS = 8; // as PROGRESS_STREAM_PARTITIONS of the workers
const SOURCE = '/my-lms'; // names belong to it: keep it as it is

/** Make an event that happened now. Best stored in an outbox table, in the transaction of what it reports. */
function newEvent(type, data) {
  return { specversion: '1.0', id: randomUUID(), source: SOURCE, type, time: new Date().toISOString(), data };
}

/**
 * Append the event to the stream of its enrollment, or of its course for an outline; with names, to the plain stream.
 *
 * If it rejects, publish the same event again, with the same id and time: it counts once. Only then delete it from the
 * outbox. Ids must be integers, not strings from the database: convert them with Number. Names are strings.
 */
async function publish(redis, event) {
  const key = event.data.user_course_id ?? event.data.course_id;
  await redis.xAdd(key ? `${STREAM}:${key % PARTITIONS}` : STREAM, '*', { event: JSON.stringify(event) });
}

/** Connect. While the connection is lost, publishing rejects instead of keeping events in this process's memory. */
async function connect(url) {
  let connected = false;
  const reconnectStrategy = (retries) => (connected ? Math.min(retries * 50, 2000) : new Error('Redis does not answer'));
  const redis = createClient({ url, disableOfflineQueue: true, socket: { connectTimeout: 2000, reconnectStrategy } });
  redis.on('error', (error) => console.error('Redis:', error.message));
  await redis.connect();
  connected = true;
  return redis;
}

module.exports = { connect, newEvent, publish };

async function main() {
  const redis = await connect(process.env.REDIS_URL || 'redis://localhost:6379/0');
  const lesson = { user_course_id: 25, topic_id: 1, lesson_id: 1 };
  const lessons = [{ topic_id: 1, lesson_id: 1, title: 'Größe & “Maß”' }, { topic_id: 1, lesson_id: 2 }];
  for (const event of [
    newEvent('course.outlined', { course_id: 11, lessons }),
    newEvent('enrollment.created', { user_course_id: 25, user_id: 7, course_id: 11 }),
    newEvent('lesson.viewed', { ...lesson, section_id: 2, duration_seconds: 90 }),
    newEvent('lesson.completed', lesson),
    newEvent('lesson.completed', { learner: 'user:Zoë', course: 'course:5', lesson: 'page:8' }),
  ]) {
    await publish(redis, event);
  }
  await redis.quit();
}

if (require.main === module) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
