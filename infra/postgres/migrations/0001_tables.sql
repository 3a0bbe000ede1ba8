-- The tables, their partitions by day, and how far the topics are in them. Runs as tapewatch_owner in the schema.

-- Columns of eight bytes come first, then smaller ones, then texts: in another order, padding would cost
-- some 20 bytes a trade. Prices and sizes are doubles, as in the topics and in Elasticsearch: a message's
-- decimal number and its nearest double are the same for the up to 15 digits that any venue has, sums and
-- comparisons are several times faster than with numeric, and what the detectors judged is what stands here.
CREATE TABLE trades (
    ts_ns bigint NOT NULL,
    time timestamptz NOT NULL,
    price double precision NOT NULL,
    size double precision NOT NULL,
    sequence bigint,
    instrument_id bigint,
    ts_recv_ns bigint,
    tape_time_ns bigint,
    day date NOT NULL,
    publisher_id integer,
    ts_in_delta integer,
    depth smallint,
    flags smallint,
    rtype smallint,
    price_eligible boolean,
    anchor_eligible boolean,
    volume_eligible boolean,
    reconciled boolean,
    trade_id text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    source text,
    action text,
    venue text,
    tape text,
    kind text,
    conditions text[],
    conditions_raw text[],
    extra jsonb,
    PRIMARY KEY (day, trade_id),
    CONSTRAINT trades_side CHECK (side IN ('A', 'B', 'N')),
    CONSTRAINT trades_size CHECK (size >= 0)
) PARTITION BY RANGE (day);
CREATE INDEX trades_time ON trades USING brin (time);
CREATE INDEX trades_symbol_time ON trades (symbol, time);
COMMENT ON TABLE trades IS 'One row for each trade; ts_ns has the nanoseconds that time leaves out';

CREATE TABLE anomalies (
    ts_ns bigint NOT NULL,
    time timestamptz NOT NULL,
    price double precision NOT NULL,
    size double precision NOT NULL,
    score double precision NOT NULL,
    count bigint,
    revision bigint NOT NULL,
    late_s double precision,
    detected_at timestamptz,
    kafka_offset bigint NOT NULL,
    day date NOT NULL,
    session date NOT NULL,
    kafka_partition integer NOT NULL,
    judged_again boolean NOT NULL,
    trade_id text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    source text,
    venue text,
    label text NOT NULL,
    severity text NOT NULL,
    message text NOT NULL,
    first_trade text,
    last_trade text,
    profile text,
    kafka_topic_id text NOT NULL,
    labels text[] NOT NULL,
    events text[],
    detections jsonb NOT NULL,
    contributions jsonb NOT NULL,
    features jsonb NOT NULL,
    rest jsonb NOT NULL,
    PRIMARY KEY (day, trade_id)
) PARTITION BY RANGE (day);
CREATE INDEX anomalies_time ON anomalies USING brin (time);
CREATE INDEX anomalies_symbol_time ON anomalies (symbol, time);
COMMENT ON TABLE anomalies IS 'The newest revision of each anomaly; rest has the fields without a column';

CREATE TABLE corrections (
    ts_ns bigint NOT NULL,
    time timestamptz NOT NULL,
    price double precision,
    size double precision,
    kafka_offset bigint NOT NULL,
    day date NOT NULL,
    kafka_partition integer NOT NULL,
    correction_id text NOT NULL,
    trade_id text,
    symbol text NOT NULL,
    action text NOT NULL,
    source text,
    kafka_topic_id text NOT NULL,
    conditions text[],
    original jsonb,
    rest jsonb NOT NULL,
    PRIMARY KEY (day, correction_id)
) PARTITION BY RANGE (day);
CREATE INDEX corrections_time ON corrections USING brin (time);
CREATE INDEX corrections_symbol_time ON corrections (symbol, time);
CREATE INDEX corrections_trade ON corrections (trade_id);
COMMENT ON TABLE corrections IS 'What venues took back or changed, by the day of the correction';

CREATE TABLE alerts (
    ts_ns bigint NOT NULL,
    time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    score double precision NOT NULL,
    count bigint NOT NULL,
    revision bigint NOT NULL,
    kafka_offset bigint NOT NULL,
    day date NOT NULL,
    session date NOT NULL,
    kafka_partition integer NOT NULL,
    alert_id text NOT NULL,
    symbol text NOT NULL,
    state text NOT NULL,
    rule text NOT NULL,
    alert_group text NOT NULL,
    severity text NOT NULL,
    message text NOT NULL,
    first_trade text NOT NULL,
    last_trade text NOT NULL,
    sending text NOT NULL,
    kafka_topic_id text NOT NULL,
    labels text[] NOT NULL,
    anomalies text[] NOT NULL,
    rest jsonb NOT NULL,
    PRIMARY KEY (day, alert_id, revision)
) PARTITION BY RANGE (day);
CREATE INDEX alerts_time ON alerts USING brin (time);
CREATE INDEX alerts_symbol_time ON alerts (symbol, time);
COMMENT ON TABLE alerts IS 'Every revision of each alert, by the day of its first anomaly';

-- Half of each page stays free, so that an update finds room beside the row that it replaces.
CREATE TABLE kafka_offsets (
    next_offset bigint CHECK (next_offset >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    backend_start timestamptz,
    partition integer NOT NULL,
    backend_pid integer,
    topic text NOT NULL,
    topic_id text NOT NULL,
    owner text NOT NULL,
    PRIMARY KEY (topic, topic_id, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE kafka_offsets IS
    'The next offset to read of each partition, written in the transaction of the rows before it';

CREATE TABLE retention (
    table_name text PRIMARY KEY,
    kept_days integer NOT NULL CHECK (kept_days > 0)
);
COMMENT ON TABLE retention IS 'Days after its creation when a partition is dropped; written by tapewatch setup';

CREATE TABLE partitions (
    table_name text NOT NULL REFERENCES retention,
    day date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, day)
);

CREATE TABLE dropped_days (
    table_name text NOT NULL,
    day date NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, day)
);
COMMENT ON TABLE dropped_days IS 'Days whose partitions are gone; no row of theirs is taken any more';

INSERT INTO retention VALUES ('trades', 30), ('anomalies', 365), ('corrections', 365), ('alerts', 365);

-- Makes a day's partition unless it is there. Returns when the day was dropped; null if it was not.
CREATE FUNCTION ensure_day(wanted_table text, wanted_day date) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = tapewatch, pg_temp
AS $$
DECLARE
    partition_name text := format('%s_%s', wanted_table, to_char(wanted_day, 'YYYYMMDD'));
    gone_at timestamptz;
BEGIN
    -- One at a time, also with what drops days.
    PERFORM FROM retention WHERE table_name = wanted_table FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no table % has partitions', wanted_table USING ERRCODE = 'undefined_table';
    END IF;
    SELECT dropped_at INTO gone_at FROM dropped_days WHERE table_name = wanted_table AND day = wanted_day;
    IF FOUND THEN
        RETURN gone_at;
    END IF;
    IF EXISTS (SELECT FROM partitions WHERE table_name = wanted_table AND day = wanted_day) THEN
        IF to_regclass(partition_name) IS NOT NULL THEN
            RETURN NULL;
        END IF;
        -- Somebody dropped it by hand, which is as much of a decision.
        DELETE FROM partitions WHERE table_name = wanted_table AND day = wanted_day;
        INSERT INTO dropped_days VALUES (wanted_table, wanted_day) RETURNING dropped_at INTO gone_at;
        RETURN gone_at;
    END IF;
    -- Made apart and then attached, which unlike PARTITION OF locks out no reader of the table.
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition_name, wanted_table);
    EXECUTE format(
        'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        wanted_table, partition_name, wanted_day, wanted_day + 1
    );
    INSERT INTO partitions VALUES (wanted_table, wanted_day);
    RETURN NULL;
END
$$;

-- Drops the oldest partition whose time is over. Returns its name; null if there is none.
CREATE FUNCTION drop_expired_day() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = tapewatch, pg_temp
AS $$
DECLARE
    expired record;
BEGIN
    SELECT p.table_name, p.day, format('%s_%s', p.table_name, to_char(p.day, 'YYYYMMDD')) AS name
    INTO expired
    FROM partitions p JOIN retention r USING (table_name)
    WHERE p.created_at < now() - make_interval(days => r.kept_days)
    ORDER BY p.created_at, p.table_name, p.day
    LIMIT 1
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', expired.name);
    DELETE FROM partitions WHERE table_name = expired.table_name AND day = expired.day;
    INSERT INTO dropped_days VALUES (expired.table_name, expired.day) ON CONFLICT DO NOTHING;
    RETURN expired.name;
END
$$;

REVOKE ALL ON FUNCTION ensure_day(text, date), drop_expired_day() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_day(text, date), drop_expired_day() TO tapewatch_writer;
GRANT USAGE ON SCHEMA tapewatch TO tapewatch_writer, tapewatch_reader;
GRANT SELECT ON migrations TO tapewatch_writer, tapewatch_reader;
GRANT SELECT, INSERT ON trades, corrections TO tapewatch_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON anomalies TO tapewatch_writer;
GRANT SELECT, INSERT, UPDATE ON alerts, kafka_offsets TO tapewatch_writer;
GRANT SELECT ON trades, anomalies, corrections, alerts, kafka_offsets, partitions, dropped_days
    TO tapewatch_reader;
