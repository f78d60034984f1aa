import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.flagd.Config;
import dev.openfeature.contrib.providers.flagd.FlagdOptions;
import dev.openfeature.contrib.providers.flagd.FlagdProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.FeatureProvider;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.OpenFeatureAPI;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Follows a flag with the published providers. Arguments: flagd|ofrep URL FLAG; the evaluate token is in the environment.
 * Each line on stdin is a targeting key; the answer is one line: variant, tab, value, tab, reason.
 */
public final class Follow {
    public static void main(String[] arguments) throws Exception {
        OpenFeatureAPI api = OpenFeatureAPI.getInstance();
        api.setProviderAndWait(connect(arguments[0], URI.create(arguments[1])));
        var client = api.getClient();
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        output.println("ready");
        for (String key = input.readLine(); key != null; key = input.readLine()) {
            FlagEvaluationDetails<String> found =
                    client.getStringDetails(arguments[2], "default", new ImmutableContext(key));
            output.println(found.getVariant() + "\t" + found.getValue() + "\t" + found.getReason());
        }
        api.shutdown();
        System.exit(0);
    }

    private static FeatureProvider connect(String kind, URI address) {
        String credentials = "Bearer " + System.getenv("PITWALL_FLAGS_EVALUATE_TOKEN");
        if (kind.equals("ofrep")) {
            var headers = ImmutableMap.of("Authorization", ImmutableList.of(credentials));
            return OfrepProvider.constructProvider(
                    OfrepProviderOptions.builder().baseUrl(address.toString()).headers(headers).build());
        }
        var metadata = new Metadata();
        metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), credentials);
        return new FlagdProvider(FlagdOptions.builder()
                .resolverType(Config.Resolver.IN_PROCESS)
                .host(address.getHost())
                .port(address.getPort())
                .deadline(10_000)
                .clientInterceptors(List.of(MetadataUtils.newAttachHeadersInterceptor(metadata)))
                .build());
    }
}
