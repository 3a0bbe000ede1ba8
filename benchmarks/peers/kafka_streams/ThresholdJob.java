import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The job in Kafka Streams: a threshold on each trade, exactly once.
 *
 * <p>Arguments: INPUT OUTPUT THRESHOLD, then settings of Kafka Streams as NAME=VALUE.
 */
public final class ThresholdJob {
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);

    /** A trade with all fields of the topic. Jackson is fastest with public fields. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public static final class Trade {
        @JsonProperty("@timestamp")
        public String timestamp;

        @JsonProperty("trade_id")
        public String tradeId;

        public String symbol;
        public Double price;
        public long size;
        public String side;
        public String source;

        @JsonProperty("ts_recv")
        public String received;

        @JsonProperty("publisher_id")
        public Long publisher;

        @JsonProperty("instrument_id")
        public Long instrument;

        public String action;
        public Long depth;
        public Long flags;

        @JsonProperty("ts_in_delta")
        public Long delta;

        public Long sequence;
        public Long rtype;
    }

    private ThresholdJob() {}

    public static void main(String[] arguments) {
        String input = arguments[0];
        String output = arguments[1];
        long threshold = Long.parseLong(arguments[2]);
        Properties settings = new Properties();
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        for (int i = 3; i < arguments.length; i++) {
            String[] setting = arguments[i].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(input, Consumed.with(Serdes.ByteArray(), trades()))
                .filter((key, trade) -> trade.size > threshold)
                .to(output, Produced.with(Serdes.ByteArray(), trades()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE_TIMEOUT)));
        streams.start();
    }

    private static Serde<Trade> trades() {
        ObjectReader reader = new ObjectMapper().readerFor(Trade.class);
        ObjectWriter writer = new ObjectMapper().writerFor(Trade.class);
        return Serdes.serdeFrom(
                (topic, trade) -> {
                    try {
                        return writer.writeValueAsBytes(trade);
                    } catch (IOException error) {
                        throw new SerializationException(error);
                    }
                },
                (topic, json) -> {
                    try {
                        return reader.readValue(json);
                    } catch (IOException error) {
                        throw new SerializationException(error);
                    }
                });
    }
}
