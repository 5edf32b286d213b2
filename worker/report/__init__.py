"""Reports: an analysis as tables, and those as CSV, as JSON, and as one self-contained HTML page.

| module                                           | owns                                                              |
|--------------------------------------------------|-------------------------------------------------------------------|
| `table`                                          | what a table and a report are                                     |
| `course`, `learner`, `hours`                     | the tables of each analysis                                       |
| `export`                                         | tables as CSV and JSON                                            |
| `wording`, `hour_words`                          | a value, and a week, as people read them                          |
| `picture`, `scale`, `tiles`, `time_spent`        | pictures, made of tables and nothing else                         |
| `section`, `course_sections`, `learner_sections` | which pictures and sentences a page shows                         |
| `page`                                           | the page; needs the extra `report`, everything else needs nothing |
"""
