# Publish progress events. Copy this file into your project: it needs Ruby 2.7 and the gem redis, 4.1 or later.
#
#     ruby progress_publisher.rb        # publishes the example at the end to REDIS_URL

require "json"
require "redis"
require "securerandom"
require "time"
require "zlib"

module ProgressPublisher
  STREAM = ENV.fetch("PROGRESS_STREAM_KEY", "lesson-events")
  PARTITIONS = 8 # as PROGRESS_STREAM_PARTITIONS of the workers
  SOURCE = "/my-lms" # names belong to it: keep it as it is

  # Make an event that happened now. Best stored in an outbox table, in the transaction of what it reports.
  def self.new_event(type, data)
    { specversion: "1.0", id: SecureRandom.uuid, source: SOURCE, type: type, time: Time.now.utc.iso8601(6), data: data }
  end

  # Append the event to the stream of its enrollment or learner, or of its course for an outline.
  #
  # After a Redis::BaseError publish the same event again, with the same id and time: it counts once. Only then delete
  # it from the outbox.
  def self.publish(redis, event)
    data = event[:data]
    key = data[:user_course_id] || data[:course_id] || Zlib.crc32(data[:learner] || data[:course])
    redis.xadd("#{STREAM}:#{key % PARTITIONS}", { event: JSON.generate(event) })
  end
end

if $PROGRAM_NAME == __FILE__
  redis = Redis.new(url: ENV.fetch("REDIS_URL", "redis://localhost:6379/0"))
  lesson = { user_course_id: 25, topic_id: 1, lesson_id: 1 }
  lessons = [{ topic_id: 1, lesson_id: 1, title: "Größe & “Maß”" }, { topic_id: 1, lesson_id: 2 }]
  [
    ProgressPublisher.new_event("course.outlined", { course_id: 11, lessons: lessons }),
    ProgressPublisher.new_event("enrollment.created", { user_course_id: 25, user_id: 7, course_id: 11 }),
    ProgressPublisher.new_event("lesson.viewed", lesson.merge(section_id: 2, duration_seconds: 90)),
    ProgressPublisher.new_event("lesson.completed", lesson),
    ProgressPublisher.new_event("lesson.completed", { learner: "user:Zoë", course: "course:5", lesson: "page:8" })
  ].each { |event| ProgressPublisher.publish(redis, event) }
end
