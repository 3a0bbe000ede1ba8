import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.nativeaccess.NativeAccess;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * One Elasticsearch node on the class path, in the foreground, until SIGTERM closes it.
 *
 * Arguments: the home folder, which contains the modules, and the folder of elasticsearch.yml.
 */
public final class EmbeddedNode {
    private static final int CLOSE_TIMEOUT_S = 15;

    public static void main(String[] args) {
        // An Error may leave the node half alive: end the process, so that its parent notices.
        Thread.setDefaultUncaughtExceptionHandler((thread, problem) -> {
            problem.printStackTrace();
            if (problem instanceof Error) {
                Runtime.getRuntime().halt(1);
            }
        });
        try {
            Node node = create(Path.of(args[0]), Path.of(args[1]));
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node), "close-node"));
            node.start();
            // The node's own threads do not keep the process running.
            Thread.currentThread().join();
        } catch (Throwable problem) {
            // Threads that are already running would keep the process alive.
            problem.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static Node create(Path home, Path config) {
        Settings paths = Settings.builder().put("path.home", home.toString()).build();
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureESLogging();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            paths, Map.of(), config, () -> "embedded");
        NativeAccess.instance(); // initialized here, before the node's threads race for it
        return new Node(environment, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir(), true), Set.of(), Map.of(), false));
    }

    private static void close(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(CLOSE_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (Exception problem) {
            problem.printStackTrace();
        }
    }
}
