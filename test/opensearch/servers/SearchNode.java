import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One real OpenSearch (2, 3) or Elasticsearch (7, 9) node in the foreground, out of the jars that Maven brought:
 *
 *   java -cp JARS SearchNode.java HOME MODULE_JARS [setting=value ...]
 *
 * Everything goes by reflection, since the servers differ in package names and in how a node takes its modules.
 * MODULE_JARS is a folder of jars that Elasticsearch 9 loads as its HTTP module, and unused by the others. The
 * node ends when standard input does, so that it can't outlive the test that started it. HOME/routes.txt holds the
 * routes that it has registered.
 */
public class SearchNode {

    public static void main(String[] args) {
        try {
            Path home = Path.of(args[0]).toAbsolutePath();
            Map<String, String> settings = new HashMap<>();
            settings.put("path.home", home.toString());
            for (int i = 2; i < args.length; i++) {
                String[] pair = args[i].split("=", 2);
                settings.put(pair[0], pair[1]);
            }
            start(home, Path.of(args[1]), settings);
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
            Runtime.getRuntime().halt(0); // its data is thrown away: nothing to close
        } catch (Throwable e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1); // the node's own threads would keep the process alive
        }
    }

    private static void start(Path home, Path moduleJars, Map<String, String> values) throws Exception {
        String base = exists("org.opensearch.node.Node") ? "org.opensearch." : "org.elasticsearch.";
        boolean loader = exists(base + "plugins.PluginsLoader");
        System.setProperty("opensearch.logs.base_path", home.toString());
        System.setProperty("es.logs.base_path", home.toString());
        if (loader) {
            Class.forName(base + "common.logging.LogConfigurator").getMethod("configureESLogging").invoke(null);
        }
        Class<?> settings = Class.forName(base + "common.settings.Settings");
        Supplier<String> defaultName = () -> "node";
        Object environment = Class.forName(base + "node.InternalSettingsPreparer")
            .getMethod("prepareEnvironment", settings, Map.class, Path.class, Supplier.class)
            .invoke(null, settings.getField("EMPTY").get(null), values,
                Files.createDirectories(home.resolve("config")), defaultName);
        Object node = loader ? loadingModules(base, environment, home, moduleJars) : fromClassPath(base, environment);
        Files.write(home.resolve("routes.txt"), routes(base, node));
        node.getClass().getMethod("start").invoke(node);
    }

    /** Every route that the node has registered, a line each: method, path, the name of its handler. */
    private static List<String> routes(String base, Object node) throws Exception {
        Object injector = field(node, "injector");
        Method instance = injector.getClass().getMethod("getInstance", Class.class);
        instance.setAccessible(true);
        // Every request goes from the transport to its dispatcher, which is the controller.
        Object transport = instance.invoke(injector, Class.forName(base + "http.HttpServerTransport"));
        Object trie = field(field(transport, "dispatcher"), "handlers");
        Set<String> lines = new TreeSet<>();
        collect(field(trie, "root"), "", lines);
        Object atRoot = field(trie, "rootValue");
        if (atRoot != null) collectHandlers(atRoot, "/", lines);
        return new ArrayList<>(lines);
    }

    private static void collect(Object trieNode, String path, Set<String> lines) throws Exception {
        Object handlers = field(trieNode, "value");
        if (handlers != null) collectHandlers(handlers, path, lines);
        for (Map.Entry<?, ?> child : ((Map<?, ?>) field(trieNode, "children")).entrySet()) {
            Object parameter = field(child.getValue(), "namedWildcard");
            String segment = parameter == null ? child.getKey().toString() : "{" + parameter + "}";
            collect(child.getValue(), path + "/" + segment, lines);
        }
    }

    private static void collectHandlers(Object handlers, String path, Set<String> lines) throws Exception {
        for (Map.Entry<?, ?> one : ((Map<?, ?>) field(handlers, "methodHandlers")).entrySet()) {
            // Elasticsearch keeps handlers by the version that a client wants, too.
            Collection<?> all = one.getValue() instanceof Map<?, ?> ? ((Map<?, ?>) one.getValue()).values()
                : List.of(one.getValue());
            for (Object handler : all) lines.add(one.getKey() + " " + path + " " + nameOf(handler, path));
        }
    }

    /** Deprecated routes and those behind a check have the handler inside of another; one is a function without a name. */
    private static String nameOf(Object handler, String path) throws Exception {
        if (path.equals("/favicon.ico")) return "favicon";
        for (String inner : List.of("delegate", "originalHandler", "handler")) {
            if (hasField(handler, inner)) return nameOf(field(handler, inner), path);
        }
        Method name = handler.getClass().getMethod("getName");
        name.setAccessible(true);
        return name.invoke(handler).toString();
    }

    private static boolean hasField(Object of, String name) {
        return declaring(of.getClass(), name) != null;
    }

    private static Object field(Object of, String name) throws Exception {
        Field field = declaring(of.getClass(), name);
        if (field == null) throw new NoSuchFieldException(of.getClass() + "." + name);
        field.setAccessible(true);
        return field.get(of);
    }

    private static Field declaring(Class<?> type, String name) {
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            try {
                return one.getDeclaredField(name);
            } catch (NoSuchFieldException e) {
                // It may be of a class above.
            }
        }
        return null;
    }

    /** OpenSearch and Elasticsearch 7: a constructor meant for tests takes the modules as classes. */
    private static Object fromClassPath(String base, Object environment) throws Exception {
        Constructor<?> constructor = Class.forName(base + "node.Node").getDeclaredConstructor(
            Class.forName(base + "env.Environment"), Collection.class, boolean.class);
        constructor.setAccessible(true);
        boolean described = constructor.getGenericParameterTypes()[1].getTypeName().contains("PluginInfo");
        List<Object> modules = new ArrayList<>();
        for (String name : List.of("transport.Netty4ModulePlugin", "transport.Netty4Plugin",
            "transport.reactor.ReactorNetty4Plugin")) {
            if (exists(base + name)) {
                modules.add(described ? describe(base, base + name) : Class.forName(base + name));
            }
        }
        return constructor.newInstance(environment, modules, true);
    }

    /** OpenSearch 3 wants each module with a description. */
    private static Object describe(String base, String name) throws Exception {
        Class<?> version = Class.forName(base + "Version");
        return Class.forName(base + "plugins.PluginInfo")
            .getConstructor(String.class, String.class, String.class, version, String.class, String.class,
                String.class, List.class, boolean.class)
            .newInstance(name, "from the class path", "NA", version.getField("CURRENT").get(null), "17", name,
                null, List.of(), false);
    }

    /** Elasticsearch 9 finds its modules in HOME/modules, as in a distribution. */
    private static Object loadingModules(String base, Object environment, Path home, Path jars) throws Exception {
        Path modules = home.resolve("modules");
        Path module = Files.createDirectories(modules.resolve("transport-netty4"));
        List<Path> files;
        try (Stream<Path> listing = Files.list(jars)) {
            files = listing.collect(Collectors.toList());
        }
        for (Path jar : files) {
            Files.createSymbolicLink(module.resolve(jar.getFileName()), jar);
            if (jar.getFileName().toString().startsWith("transport-netty4-")) {
                Files.write(module.resolve("plugin-descriptor.properties"), descriptor(jar));
            }
        }
        Class<?> loader = Class.forName(base + "plugins.PluginsLoader");
        Object bundles = loader.getMethod("loadModulesBundles", Path.class, boolean.class).invoke(null, modules, false);
        Object loaded = loader.getMethod("createPluginsLoader", Set.class, Set.class, Map.class, boolean.class)
            .invoke(null, bundles, Set.of(), Map.of(), false);
        return Class.forName(base + "node.Node")
            .getConstructor(Class.forName(base + "env.Environment"), loader).newInstance(environment, loaded);
    }

    /** Without `modulename` the module goes into a plain class loader, as the server itself does here. */
    private static List<String> descriptor(Path jar) throws Exception {
        String entry = "META-INF/es-plugins/transport-netty4/plugin-descriptor.properties";
        try (JarFile file = new JarFile(jar.toFile()); InputStream in = file.getInputStream(file.getEntry(entry))) {
            return new String(in.readAllBytes(), "UTF-8").lines()
                .filter(line -> !line.startsWith("modulename")).collect(Collectors.toList());
        }
    }

    private static boolean exists(String name) {
        try {
            Class.forName(name, false, SearchNode.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }
}
