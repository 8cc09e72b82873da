// The settings of the function app. They replace all that the app has.
@description('Names of the app and of what it uses. Those of options that are off are not read.')
param names {
  app: string
  identity: string
  storage: string
  insights: string
  fallback: string
  redis: string
  *: string
}

@description('The options that are on.')
param uses { fallback: bool, redis: bool }

@description('Address of the resource of the model, with a slash at its end.')
param modelEndpoint string
param modelDeploymentName string

@description('Concurrent requests that the platform sends to an instance.')
param httpConcurrency int

@description('Origins of pages that may call the app from browsers, separated by commas.')
param corsOrigins string

@description('Client id of the app registration. When set, App Service must sign users in already.')
param clientId string

@description('Callers and the SHA-256 of their keys. The app refuses them together with a client id.')
@secure()
param callerKeys string

// The v1 API needs no version, and only there does the app send a key for the model's prompt cache: docs/models.md. The role
// and the token are those of the other API: learn.microsoft.com/azure/developer/ai/how-to/switching-endpoints
var v1 = 'openai/v1/'
var endpoint = '${modelEndpoint}${v1}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.identity
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

resource fallback 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = if (uses.fallback) {
  name: names.fallback
}

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' existing = if (uses.redis) {
  name: names.redis
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: names.app

  // Neither languageWorkers__node__arguments nor FUNCTIONS_V2_COMPATIBILITY_MODE: with them, the platform stops the warm
  // worker of an instance and starts another one, which makes every cold start longer.
  resource settings 'config' = {
    name: 'appsettings'
    properties: union(
      {
        // The host's storage, and the sessions.
        AzureWebJobsStorage__accountName: names.storage
        AzureWebJobsStorage__clientId: identity.properties.clientId
        AzureWebJobsStorage__credential: 'managedidentity'
        // Traces, metrics and logs, of the host and of the app.
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
        APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
        AZURE_CLIENT_ID: identity.properties.clientId
        AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: modelDeploymentName
        AZURE_OPENAI_ENDPOINT: endpoint
        // A place for each request that the platform sends to an instance, so that none waits for a place. When more
        // arrive, as many again may wait; the app refuses the rest.
        MODEL_MAX_CONCURRENCY: string(httpConcurrency)
      },
      uses.fallback ? { AZURE_OPENAI_FALLBACK_ENDPOINTS: '${fallback!.properties.endpoint}${v1}' } : {},
      uses.redis ? { ANSWER_CACHE_REDIS_URL: 'rediss://${redis!.properties.hostName}:10000' } : {},
      empty(corsOrigins) ? {} : { MCP_ALLOWED_ORIGINS: corsOrigins },
      empty(callerKeys) ? {} : { HTTP_AUTH_LEVEL: 'anonymous', CALLER_KEYS: callerKeys },
      empty(clientId)
        ? {}
        : {
            HTTP_AUTH_LEVEL: 'anonymous'
            // Flex Consumption may not set WEBSITE_AUTH_ENABLED.
            TRUST_USER_HEADERS: 'true'
            // App Service proves itself to Entra with this identity instead of a client secret.
            OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identity.properties.clientId
            WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
            // App Service then answers MCP clients that have not signed in with where and for what they can.
            WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: 'api://${clientId}/user_impersonation'
          }
    )
  }
}

output modelEndpoint string = endpoint
